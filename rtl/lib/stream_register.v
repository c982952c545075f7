// stream_register: a valid/ready register slice with two places (a skid buffer).
//
// Cuts every combinational path between its two sides and still passes one word a cycle: the second
// place takes the word that is on its way when the consumer stops.
//
//   s_*  words in:  taken at a rising edge where s_valid and s_ready are 1
//   m_*  words out: given at a rising edge where m_valid and m_ready are 1
// Latency 1 cycle; m_data keeps its value while m_valid is 1 and m_ready is 0.

`default_nettype none

module stream_register #(
    parameter WIDTH = 8
) (
    input  wire             clk,
    input  wire             rst,      // synchronous, active high
    input  wire [WIDTH-1:0] s_data,
    input  wire             s_valid,
    output wire             s_ready,
    output wire [WIDTH-1:0] m_data,
    output wire             m_valid,
    input  wire             m_ready
);

    reg [WIDTH-1:0] front, spare;
    reg             front_full, spare_full;

    assign s_ready = !spare_full;
    assign m_data  = front;
    assign m_valid = front_full;

    wire take = s_valid && s_ready;
    wire move = m_ready || !front_full;  // the front place can take a word at this edge

    always @(posedge clk) begin
        if (rst) begin
            front_full <= 1'b0;
            spare_full <= 1'b0;
        end else if (move) begin
            front_full <= spare_full || take;
            spare_full <= 1'b0;
        end else if (take) begin
            spare_full <= 1'b1;
        end
    end

    // The data need no reset: nobody looks at them while the place is empty.
    always @(posedge clk) begin
        if (move)
            front <= spare_full ? spare : s_data;
        if (take)
            spare <= s_data;
    end

endmodule

`default_nettype wire
