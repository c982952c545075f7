// dense_mac: 3 ap_fixed<6,3,AP_RND,AP_SAT> -> 4 ap_fixed<6,3,AP_RND,AP_SAT>
// Made by hwmodel from the graph 'dense_mac' (style mac, fold=None, share=True).
// spec 8fa270197ab82c1f833c377398578cd2a223c90f7c38eaf23802ac4240c5a8e0
// Timing: latency 4 cycles, a new input every 4, while nothing stalls.
// A word moves at a rising edge of clk where valid and ready are both 1; rst is synchronous.
//
// Layers:
//   fc               Dense      4 ap_fixed<6,3,AP_RND,AP_SAT>  reads input
//   relu             ReLU       4 ap_fixed<6,3,AP_RND,AP_SAT>  reads fc

`default_nettype none

module dense_mac (
  input wire clk,  // rising edge
  input wire rst,  // synchronous, active high
  input wire in_valid,
  input wire [17:0] in_data,  // 3 ap_fixed<6,3,AP_RND,AP_SAT>, element 0 in the low bits
  input wire out_ready,
  output wire in_ready,
  output wire out_valid,
  output wire [23:0] out_data  // 4 ap_fixed<6,3,AP_RND,AP_SAT>, element 0 in the low bits
);

  reg done;
  reg [8:0] fc_acc_0;
  reg [9:0] fc_acc_1;
  reg [9:0] fc_acc_2;
  reg [9:0] fc_acc_3;
  reg fc_active;
  reg [1:0] fc_step;
  reg [5:0] x_0;
  reg [5:0] x_1;
  reg [5:0] x_2;

  // control: one phase a dense layer
  wire ready_for_input = (~fc_active & (~done | out_ready));
  wire control_n1 = fc_step == 2'd2;
  wire fc_last = ((fc_active & control_n1) & 1'd1);
  wire start = (ready_for_input & in_valid);
  wire [1:0] control_n2 = fc_step + 2'd1;

  // fc: Dense -> 4 ap_fixed<6,3,AP_RND,AP_SAT>
  wire [6:0] fc_n1 = fc_acc_3[9:3] + {6'd0, fc_acc_3[2]};
  wire [7:0] fc_n2 = {fc_n1[6], fc_n1};
  wire [1:0] fc_n3 = fc_n2[6:5];
  wire [1:0] fc_n4 = {(fc_n3[1] ^ fc_n2[7]), (fc_n3[0] ^ fc_n2[7])};
  wire fc_n5 = fc_n4[0];
  wire fc_n6 = fc_n4[1];
  wire [5:0] fc_3 = (fc_n5 | fc_n6) ? {fc_n1[6], {5{~fc_n1[6]}}} : fc_n1[5:0];
  wire [6:0] fc_n7 = fc_acc_2[9:3] + {6'd0, fc_acc_2[2]};
  wire [7:0] fc_n8 = {fc_n7[6], fc_n7};
  wire [1:0] fc_n9 = fc_n8[6:5];
  wire [1:0] fc_n10 = {(fc_n9[1] ^ fc_n8[7]), (fc_n9[0] ^ fc_n8[7])};
  wire fc_n11 = fc_n10[0];
  wire fc_n12 = fc_n10[1];
  wire [5:0] fc_2 = (fc_n11 | fc_n12) ? {fc_n7[6], {5{~fc_n7[6]}}} : fc_n7[5:0];
  wire [6:0] fc_n13 = fc_acc_1[9:3] + {6'd0, fc_acc_1[2]};
  wire [7:0] fc_n14 = {fc_n13[6], fc_n13};
  wire [1:0] fc_n15 = fc_n14[6:5];
  wire [1:0] fc_n16 = {(fc_n15[1] ^ fc_n14[7]), (fc_n15[0] ^ fc_n14[7])};
  wire fc_n17 = fc_n16[0];
  wire fc_n18 = fc_n16[1];
  wire [5:0] fc_1 = (fc_n17 | fc_n18) ? {fc_n13[6], {5{~fc_n13[6]}}} : fc_n13[5:0];
  wire [5:0] fc_0 = fc_acc_0[8:3] + {5'd0, fc_acc_0[2]};
  wire [8:0] fc_n19 = (fc_step == 2'd0) ? 9'd16 : fc_acc_0;
  wire [5:0] fc_x_0 = (fc_step[1] ? x_2 : (fc_step[0] ? x_1 : x_0));
  localparam [3:0] fc_n20_2 = 4'h4;
  localparam [3:0] fc_n20_1 = 4'h1;
  localparam [3:0] fc_n20_0 = 4'h5;
  wire [2:0] fc_n20 = {fc_n20_2[fc_step], fc_n20_1[fc_step], fc_n20_0[fc_step]};
  wire [2:0] fc_w_0_0 = fc_n20;
  wire [7:0] fc_n21 = $signed(fc_x_0) * $signed(fc_w_0_0);
  wire [9:0] fc_n22 = {fc_n19[8], fc_n19} + {{2{fc_n21[7]}}, fc_n21};
  wire [9:0] fc_n23 = (fc_step == 2'd0) ? 10'd1008 : fc_acc_1;
  localparam [3:0] fc_n24_3 = 4'h1;
  localparam [3:0] fc_n24_2 = 4'h6;
  localparam [3:0] fc_n24_1 = 4'h3;
  localparam [3:0] fc_n24_0 = 4'h1;
  wire [3:0] fc_n24 = {fc_n24_3[fc_step], fc_n24_2[fc_step], fc_n24_1[fc_step], fc_n24_0[fc_step]};
  wire [3:0] fc_w_1_0 = fc_n24;
  wire [8:0] fc_n25 = $signed(fc_x_0) * $signed(fc_w_1_0);
  wire [10:0] fc_n26 = {fc_n23[9], fc_n23} + {{2{fc_n25[8]}}, fc_n25};
  wire [9:0] fc_n27 = (fc_step == 2'd0) ? 10'd0 : fc_acc_2;
  localparam [3:0] fc_n28_3 = 4'h2;
  localparam [3:0] fc_n28_2 = 4'h7;
  localparam [3:0] fc_n28_1 = 4'h3;
  localparam [3:0] fc_n28_0 = 4'h5;
  wire [3:0] fc_n28 = {fc_n28_3[fc_step], fc_n28_2[fc_step], fc_n28_1[fc_step], fc_n28_0[fc_step]};
  wire [3:0] fc_w_2_0 = fc_n28;
  wire [8:0] fc_n29 = $signed(fc_x_0) * $signed(fc_w_2_0);
  wire [10:0] fc_n30 = {fc_n27[9], fc_n27} + {{2{fc_n29[8]}}, fc_n29};
  wire [9:0] fc_n31 = (fc_step == 2'd0) ? 10'd48 : fc_acc_3;
  localparam [3:0] fc_n32_3 = 4'h2;
  localparam [3:0] fc_n32_2 = 4'h0;
  localparam [3:0] fc_n32_1 = 4'h4;
  localparam [3:0] fc_n32_0 = 4'h1;
  wire [3:0] fc_n32 = {fc_n32_3[fc_step], fc_n32_2[fc_step], fc_n32_1[fc_step], fc_n32_0[fc_step]};
  wire [3:0] fc_w_3_0 = fc_n32;
  wire [9:0] fc_n33 = $signed(fc_x_0) * $signed(fc_w_3_0);
  wire [10:0] fc_n34 = {fc_n31[9], fc_n31} + {fc_n33[9], fc_n33};

  // relu: ReLU -> 4 ap_fixed<6,3,AP_RND,AP_SAT>
  wire [4:0] relu_3 = fc_3[5] ? 5'd0 : fc_3[4:0];
  wire [4:0] relu_2 = fc_2[5] ? 5'd0 : fc_2[4:0];
  wire [4:0] relu_1 = fc_1[5] ? 5'd0 : fc_1[4:0];
  wire [4:0] relu_0 = fc_0[5] ? 5'd0 : fc_0[4:0];

  // outputs
  assign in_ready = ready_for_input;
  assign out_valid = done;
  assign out_data = {{1'd0, relu_3}, {1'd0, relu_2}, {1'd0, relu_1}, {1'd0, relu_0}};

  always @(posedge clk) begin
    if (rst) begin
      done <= 1'd0;
      fc_active <= 1'd0;
    end else begin
      done <= (fc_last | (done & ~out_ready));
      fc_active <= (start | (fc_active & ~fc_last));
    end
  end

  always @(posedge clk) begin
    if (fc_active) begin
      fc_acc_0 <= fc_n22[8:0];
      fc_acc_1 <= fc_n26[9:0];
      fc_acc_2 <= fc_n30[9:0];
      fc_acc_3 <= fc_n34[9:0];
    end
  end

  always @(posedge clk) begin
    if (rst) begin
      fc_step <= 2'd0;
    end else if (fc_active) begin
      fc_step <= (control_n1 ? 2'd0 : control_n2);
    end
  end

  always @(posedge clk) begin
    if (start) begin
      x_0 <= in_data[5:0];
      x_1 <= in_data[11:6];
      x_2 <= in_data[17:12];
    end
  end

endmodule

`default_nettype wire
