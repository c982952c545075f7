module bidirectional (input clk, inout pad, output reg q);
    always @(posedge clk) q <= pad;
endmodule
