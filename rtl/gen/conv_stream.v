// conv_stream: 1x6x6 ap_fixed<6,3,AP_RND,AP_SAT> -> 2x3x3 ap_fixed<6,3,AP_RND,AP_SAT>
// Made by hwmodel from the graph 'conv_stream' (style stream, pipeline=1, share=True).
// spec 11f1448eddc367bd10f8d12d9b28206b1ec892bfa31b5855961d6ccb87d982b2
// Timing: 36 words in, 9 out, 11 cycles from last to last, an input every 64, while nothing stalls.
// A word moves at a rising edge of clk where valid and ready are both 1; rst is synchronous.
//
// Layers:
//   conv             Conv2d     2x6x6 ap_fixed<6,3,AP_RND,AP_SAT>  reads input
//   relu             ReLU       2x6x6 ap_fixed<6,3,AP_RND,AP_SAT>  reads conv
//   pool             MaxPool    2x3x3 ap_fixed<6,3,AP_RND,AP_SAT>  reads relu

`default_nettype none

module conv_stream (
  input wire clk,  // rising edge
  input wire rst,  // synchronous, active high
  input wire in_valid,
  input wire [5:0] in_data,  // a pixel of 1x6x6 ap_fixed<6,3,AP_RND,AP_SAT>, channel 0 in the low bits
  input wire out_ready,
  output wire in_ready,
  output wire out_valid,
  output wire [11:0] out_data  // 2x3x3 ap_fixed<6,3,AP_RND,AP_SAT>, element 0 in the low bits
);

  reg [2:0] conv_col;
  reg [5:0] conv_line_1;
  reg [5:0] conv_line_2;
  reg [5:0] conv_line_3;
  reg [5:0] conv_line_4;
  reg [5:0] conv_line_5;
  reg [5:0] conv_line_6;
  reg [5:0] conv_line_7;
  reg [5:0] conv_line_8;
  reg [5:0] conv_line_9;
  reg [5:0] conv_line_10;
  reg [5:0] conv_line_11;
  reg [5:0] conv_line_12;
  reg [5:0] conv_line_13;
  reg [5:0] conv_line_14;
  reg [5:0] conv_line_15;
  reg [5:0] conv_line_16;
  reg [5:0] conv_line_17;
  reg [5:0] conv_line_18;
  reg [2:0] conv_row;
  reg conv_valid_1;
  reg [5:0] pool_0_r1;
  reg [5:0] pool_1_r1;
  reg [2:0] pool_col;
  reg [11:0] pool_line_1;
  reg [11:0] pool_line_2;
  reg [11:0] pool_line_3;
  reg [11:0] pool_line_4;
  reg [11:0] pool_line_5;
  reg [11:0] pool_line_6;
  reg [11:0] pool_line_7;
  reg [2:0] pool_row;
  reg pool_valid_1;
  reg [4:0] relu_0_0_0_r1;
  reg [4:0] relu_1_0_0_r1;

  // conv: place in the padded image, and line buffers
  localparam [7:0] conv_lines_n1_2 = 8'h80;
  localparam [7:0] conv_lines_n1_1 = 8'hfc;
  localparam [7:0] conv_lines_n1_0 = 8'h81;
  wire [2:0] conv_lines_n1 = {conv_lines_n1_2[conv_row], conv_lines_n1_1[conv_row], conv_lines_n1_0[conv_row]};
  wire [2:0] conv_row_at = conv_lines_n1;
  localparam [7:0] conv_lines_n2_2 = 8'h80;
  localparam [7:0] conv_lines_n2_1 = 8'hfc;
  localparam [7:0] conv_lines_n2_0 = 8'h81;
  wire [2:0] conv_lines_n2 = {conv_lines_n2_2[conv_col], conv_lines_n2_1[conv_col], conv_lines_n2_0[conv_col]};
  wire [2:0] conv_col_at = conv_lines_n2;
  wire conv_padding = (conv_row_at[0] | conv_col_at[0]);
  wire conv_emits = (conv_row_at[1] & conv_col_at[1]);
  wire conv_offers = (conv_padding | in_valid);
  wire [2:0] conv_lines_n3 = conv_col + 3'd1;
  wire [5:0] conv_pixel = (conv_padding ? 6'd0 : in_data);
  wire [2:0] conv_lines_n4 = conv_row + 3'd1;
  wire [5:0] conv_lines_n5 = conv_pixel;
  wire [5:0] conv_lines_n6 = conv_line_1;
  wire [5:0] conv_lines_n7 = conv_line_2;
  wire [5:0] conv_lines_n8 = conv_line_17;
  wire [5:0] conv_lines_n9 = conv_line_16;
  wire [5:0] conv_lines_n10 = conv_line_18;
  wire [5:0] conv_lines_n11 = conv_line_8;
  wire [5:0] conv_lines_n12 = conv_line_9;
  wire [5:0] conv_lines_n13 = conv_line_10;

  // conv: Conv2d -> 2x6x6 ap_fixed<6,3,AP_RND,AP_SAT>
  wire [4:0] conv_n1 = {conv_lines_n5[3], conv_lines_n6[2], conv_lines_n7[4], conv_lines_n7[3], conv_lines_n8[2]};
  localparam [31:0] conv_n2_2 = 32'h20b0b2f;
  localparam [31:0] conv_n2_1 = 32'h2db4b4d2;
  localparam [31:0] conv_n2_0 = 32'h99666699;
  wire [2:0] conv_n2 = {conv_n2_2[conv_n1], conv_n2_1[conv_n1], conv_n2_0[conv_n1]};
  wire [4:0] conv_n3 = {conv_lines_n5[0], conv_lines_n7[0], conv_lines_n9[0], conv_lines_n10[1], conv_lines_n10[0]};
  localparam [31:0] conv_n4_2 = 32'h80c8c8ec;
  localparam [31:0] conv_n4_1 = 32'h6c363693;
  localparam [31:0] conv_n4_0 = 32'h5aa5a55a;
  wire [2:0] conv_n4 = {conv_n4_2[conv_n3], conv_n4_1[conv_n3], conv_n4_0[conv_n3]};
  wire [9:0] conv_n5 = 10'd729 - {4'd15, (~{conv_n2, conv_n4})};
  wire [4:0] conv_n6 = {conv_lines_n5[4], conv_lines_n6[4], conv_lines_n9[4], conv_lines_n8[3], conv_lines_n10[4]};
  localparam [31:0] conv_n7_2 = 32'he880fe;
  localparam [31:0] conv_n7_1 = 32'he8177e81;
  localparam [31:0] conv_n7_0 = 32'h96966969;
  wire [2:0] conv_n7 = {conv_n7_2[conv_n6], conv_n7_1[conv_n6], conv_n7_0[conv_n6]};
  wire [4:0] conv_n8 = {conv_lines_n5[1], conv_lines_n6[0], conv_lines_n7[1], conv_lines_n9[1], conv_lines_n8[0]};
  localparam [31:0] conv_n9_2 = 32'h8088e;
  localparam [31:0] conv_n9_1 = 32'h8ee7e771;
  localparam [31:0] conv_n9_0 = 32'h69969669;
  wire [2:0] conv_n9 = {conv_n9_2[conv_n8], conv_n9_1[conv_n8], conv_n9_0[conv_n8]};
  wire [8:0] conv_n10 = conv_n5[9:1] - {3'd7, (~{conv_n7, conv_n9})};
  wire [9:0] conv_n11 = {conv_n10, conv_n5[0]};
  wire [4:0] conv_n12 = {conv_lines_n6[5], conv_lines_n9[5], conv_lines_n8[5], conv_lines_n8[4], conv_lines_n10[5]};
  localparam [31:0] conv_n13_2 = 32'h4fdf040d;
  localparam [31:0] conv_n13_1 = 32'hb42d4bd2;
  localparam [31:0] conv_n13_0 = 32'h99669966;
  wire [2:0] conv_n13 = {conv_n13_2[conv_n12], conv_n13_1[conv_n12], conv_n13_0[conv_n12]};
  wire [4:0] conv_n14 = {conv_lines_n9[3], conv_lines_n9[2], conv_lines_n8[1], conv_lines_n10[3], conv_lines_n10[2]};
  localparam [31:0] conv_n15_2 = 32'hfeecc880;
  localparam [31:0] conv_n15_1 = 32'hc993366c;
  localparam [31:0] conv_n15_0 = 32'ha55aa55a;
  wire [2:0] conv_n15 = {conv_n15_2[conv_n14], conv_n15_1[conv_n14], conv_n15_0[conv_n14]};
  wire [7:0] conv_n16 = conv_n11[9:2] - {2'd3, (~{conv_n13, conv_n15})};
  wire [9:0] conv_n17 = {conv_n16, conv_n11[1:0]};
  localparam [1:0] conv_n18_0 = 2'h2;
  wire conv_n18 = conv_n18_0[conv_lines_n7[5]];
  wire [3:0] conv_n19 = conv_n17[8:5] - {3'd7, ~conv_n18};
  wire [8:0] conv_n20 = {conv_n19, conv_n17[4:0]};
  wire [1:0] conv_n21 = {conv_lines_n5[5], conv_lines_n6[3]};
  localparam [3:0] conv_n22_1 = 4'hc;
  localparam [3:0] conv_n22_0 = 4'h5;
  wire [1:0] conv_n22 = {conv_n22_1[conv_n21], conv_n22_0[conv_n21]};
  wire [2:0] conv_n23 = {conv_lines_n5[2], conv_lines_n6[1], conv_lines_n7[2]};
  localparam [7:0] conv_n24_1 = 8'h17;
  localparam [7:0] conv_n24_0 = 8'h69;
  wire [1:0] conv_n24 = {conv_n24_1[conv_n23], conv_n24_0[conv_n23]};
  wire [6:0] conv_n25 = conv_n20[8:2] - {3'd7, (~{conv_n22, conv_n24})};
  wire [8:0] conv_sum_0 = {conv_n25, conv_n20[1:0]};
  wire [7:0] conv_n26 = conv_sum_0[8:1] + {7'd0, conv_sum_0[0]};
  wire [8:0] conv_n27 = {conv_n26[7], conv_n26};
  wire [2:0] conv_n28 = conv_n27[7:5];
  wire [2:0] conv_n29 = {(conv_n28[2] ^ conv_n27[8]), (conv_n28[1] ^ conv_n27[8]), (conv_n28[0] ^ conv_n27[8])};
  wire conv_n30 = conv_n29[0];
  wire [1:0] conv_n31 = conv_n29[2:1];
  wire conv_n32 = conv_n31[0];
  wire conv_n33 = conv_n31[1];
  wire [5:0] conv_0 = (conv_n30 | (conv_n32 | conv_n33)) ? {conv_n26[7], {5{~conv_n26[7]}}} : conv_n26[5:0];
  wire [4:0] conv_n34 = {conv_lines_n6[4], conv_lines_n11[3], conv_lines_n12[1], conv_lines_n8[4], conv_lines_n8[3]};
  localparam [31:0] conv_n35_2 = 32'h103173f7;
  localparam [31:0] conv_n35_1 = 32'h63c69c39;
  localparam [31:0] conv_n35_0 = 32'ha55aa55a;
  wire [2:0] conv_n35 = {conv_n35_2[conv_n34], conv_n35_1[conv_n34], conv_n35_0[conv_n34]};
  wire [4:0] conv_n36 = {conv_lines_n6[0], conv_lines_n11[0], conv_lines_n12[0], conv_lines_n8[1], conv_lines_n8[0]};
  localparam [31:0] conv_n37_2 = 32'h10313173;
  localparam [31:0] conv_n37_1 = 32'h63c6c69c;
  localparam [31:0] conv_n37_0 = 32'ha55a5aa5;
  wire [2:0] conv_n37 = {conv_n37_2[conv_n36], conv_n37_1[conv_n36], conv_n37_0[conv_n36]};
  wire [9:0] conv_n38 = 10'd726 - {4'd15, (~{conv_n35, conv_n37})};
  wire [4:0] conv_n39 = {conv_lines_n11[5], conv_lines_n12[5], conv_lines_n12[4], conv_lines_n13[5], conv_lines_n8[5]};
  localparam [31:0] conv_n40_3 = 32'hf800e0;
  localparam [31:0] conv_n40_2 = 32'he007801f;
  localparam [31:0] conv_n40_1 = 32'h1e87781e;
  localparam [31:0] conv_n40_0 = 32'h99666699;
  wire [3:0] conv_n40 = {conv_n40_3[conv_n39], conv_n40_2[conv_n39], conv_n40_1[conv_n39], conv_n40_0[conv_n39]};
  wire [4:0] conv_n41 = {conv_lines_n6[2], conv_lines_n11[2], conv_lines_n12[2], conv_lines_n13[2], conv_lines_n8[2]};
  localparam [31:0] conv_n42_2 = 32'h101071;
  localparam [31:0] conv_n42_1 = 32'h71e7e78e;
  localparam [31:0] conv_n42_0 = 32'h96696996;
  wire [2:0] conv_n42 = {conv_n42_2[conv_n41], conv_n42_1[conv_n41], conv_n42_0[conv_n41]};
  wire [7:0] conv_n43 = conv_n38[9:2] - {1'd1, (~{conv_n40, conv_n42})};
  wire [4:0] conv_n44 = {conv_lines_n6[5], conv_lines_n11[4], conv_lines_n12[4], conv_lines_n12[2], conv_lines_n13[4]};
  localparam [31:0] conv_n45_2 = 32'hd4fd0040;
  localparam [31:0] conv_n45_1 = 32'h2b42d4bd;
  localparam [31:0] conv_n45_0 = 32'h69966996;
  wire [2:0] conv_n45 = {conv_n45_2[conv_n44], conv_n45_1[conv_n44], conv_n45_0[conv_n44]};
  wire [4:0] conv_n46 = {conv_lines_n6[1], conv_lines_n11[1], conv_lines_n12[1], conv_lines_n12[0], conv_lines_n13[1]};
  localparam [31:0] conv_n47_2 = 32'h40c4c4dc;
  localparam [31:0] conv_n47_1 = 32'h9c393963;
  localparam [31:0] conv_n47_0 = 32'ha55a5aa5;
  wire [2:0] conv_n47 = {conv_n47_2[conv_n46], conv_n47_1[conv_n46], conv_n47_0[conv_n46]};
  localparam [1:0] conv_n48_0 = 2'h1;
  wire conv_n48 = conv_n48_0[conv_lines_n13[0]];
  wire [9:0] conv_n49 = {conv_n43, conv_n38[1:0]} - {3'd7, (~{conv_n45, conv_n47, conv_n48})};
  wire [2:0] conv_n50 = {conv_lines_n6[3], conv_lines_n12[3], conv_lines_n13[3]};
  localparam [7:0] conv_n51_2 = 8'hcc;
  localparam [7:0] conv_n51_1 = 8'h4d;
  localparam [7:0] conv_n51_0 = 8'h96;
  wire [2:0] conv_n51 = {conv_n51_2[conv_n50], conv_n51_1[conv_n50], conv_n51_0[conv_n50]};
  wire [6:0] conv_n52 = conv_n49[9:3] - {4'd15, (~conv_n51)};
  wire [9:0] conv_sum_1 = {conv_n52, conv_n49[2:0]};
  wire [8:0] conv_n53 = conv_sum_1[9:1] + {8'd0, conv_sum_1[0]};
  wire [9:0] conv_n54 = {conv_n53[8], conv_n53};
  wire [3:0] conv_n55 = conv_n54[8:5];
  wire [3:0] conv_n56 = {(conv_n55[3] ^ conv_n54[9]), (conv_n55[2] ^ conv_n54[9]), (conv_n55[1] ^ conv_n54[9]), (conv_n55[0] ^ conv_n54[9])};
  wire [1:0] conv_n57 = conv_n56[1:0];
  wire conv_n58 = conv_n57[0];
  wire conv_n59 = conv_n57[1];
  wire [1:0] conv_n60 = conv_n56[3:2];
  wire conv_n61 = conv_n60[0];
  wire conv_n62 = conv_n60[1];
  wire [5:0] conv_1 = ((conv_n58 | conv_n59) | (conv_n61 | conv_n62)) ? {conv_n53[8], {5{~conv_n53[8]}}} : conv_n53[5:0];

  // relu: ReLU -> 2x6x6 ap_fixed<6,3,AP_RND,AP_SAT>
  wire [4:0] relu_0_0_0 = conv_0[5] ? 5'd0 : conv_0[4:0];
  wire [4:0] relu_1_0_0 = conv_1[5] ? 5'd0 : conv_1[4:0];

  // pool: place in the padded image, and line buffers
  localparam [7:0] pool_lines_n1_2 = 8'h20;
  localparam [7:0] pool_lines_n1_1 = 8'h2a;
  localparam [7:0] pool_lines_n1_0 = 8'h0;
  wire [2:0] pool_lines_n1 = {pool_lines_n1_2[pool_row], pool_lines_n1_1[pool_row], pool_lines_n1_0[pool_row]};
  wire [2:0] pool_row_at = pool_lines_n1;
  localparam [7:0] pool_lines_n2_2 = 8'h20;
  localparam [7:0] pool_lines_n2_1 = 8'h2a;
  localparam [7:0] pool_lines_n2_0 = 8'h0;
  wire [2:0] pool_lines_n2 = {pool_lines_n2_2[pool_col], pool_lines_n2_1[pool_col], pool_lines_n2_0[pool_col]};
  wire [2:0] pool_col_at = pool_lines_n2;
  wire pool_padding = (pool_row_at[0] | pool_col_at[0]);
  wire pool_emits = (pool_row_at[1] & pool_col_at[1]);
  wire [5:0] pool_lines_n3 = pool_line_7[5:0];
  wire [5:0] pool_lines_n4 = pool_line_6[5:0];
  wire [5:0] pool_lines_n5 = pool_line_1[5:0];
  wire [11:0] pool_pixel = (pool_padding ? 12'd2080 : {{1'd0, relu_1_0_0_r1}, {1'd0, relu_0_0_0_r1}});
  wire [5:0] pool_lines_n6 = pool_pixel[5:0];
  wire [5:0] pool_lines_n7 = pool_line_7[11:6];
  wire [5:0] pool_lines_n8 = pool_line_6[11:6];
  wire [5:0] pool_lines_n9 = pool_line_1[11:6];
  wire [5:0] pool_lines_n10 = pool_pixel[11:6];
  wire pool_offers = (pool_padding | conv_valid_1);
  wire [2:0] pool_lines_n11 = pool_col + 3'd1;
  wire [2:0] pool_lines_n12 = pool_row + 3'd1;

  // pool: MaxPool -> 2x3x3 ap_fixed<6,3,AP_RND,AP_SAT>
  wire pool_n1 = {~pool_lines_n3[5], pool_lines_n3[4:0]} < {~pool_lines_n4[5], pool_lines_n4[4:0]};
  wire [5:0] pool_n2 = pool_n1 ? pool_lines_n4 : pool_lines_n3;
  wire pool_n3 = {~pool_lines_n5[5], pool_lines_n5[4:0]} < {~pool_lines_n6[5], pool_lines_n6[4:0]};
  wire [5:0] pool_n4 = pool_n3 ? pool_lines_n6 : pool_lines_n5;
  wire [5:0] pool_0 = ({~pool_n2[5], pool_n2[4:0]} < {~pool_n4[5], pool_n4[4:0]}) ? pool_n4 : pool_n2;
  wire pool_n5 = {~pool_lines_n7[5], pool_lines_n7[4:0]} < {~pool_lines_n8[5], pool_lines_n8[4:0]};
  wire [5:0] pool_n6 = pool_n5 ? pool_lines_n8 : pool_lines_n7;
  wire pool_n7 = {~pool_lines_n9[5], pool_lines_n9[4:0]} < {~pool_lines_n10[5], pool_lines_n10[4:0]};
  wire [5:0] pool_n8 = pool_n7 ? pool_lines_n10 : pool_lines_n9;
  wire [5:0] pool_1 = ({~pool_n6[5], pool_n6[4:0]} < {~pool_n8[5], pool_n8[4:0]}) ? pool_n8 : pool_n6;

  // pool: handshake
  wire pool_advance_1 = (~pool_valid_1 | out_ready);
  wire pool_accepts = pool_advance_1;
  wire conv_read = (~pool_padding & (pool_accepts | ~pool_emits));
  wire conv_advance_1 = (~conv_valid_1 | conv_read);
  wire conv_accepts = conv_advance_1;
  wire conv_moves = (conv_offers & (conv_accepts | ~conv_emits));
  wire pool_moves = (pool_offers & (pool_accepts | ~pool_emits));

  // outputs
  assign in_ready = (~conv_padding & (conv_accepts | ~conv_emits));
  assign out_valid = pool_valid_1;
  assign out_data = {pool_1_r1, pool_0_r1};

  always @(posedge clk) begin
    if (rst) begin
      conv_row <= 3'd0;
    end else if ((conv_moves & conv_col_at[2])) begin
      conv_row <= (conv_row_at[2] ? 3'd0 : conv_lines_n4);
    end
  end

  always @(posedge clk) begin
    if (rst) begin
      pool_row <= 3'd0;
    end else if ((pool_moves & pool_col_at[2])) begin
      pool_row <= (pool_row_at[2] ? 3'd0 : pool_lines_n12);
    end
  end

  always @(posedge clk) begin
    if (rst) begin
      conv_valid_1 <= 1'd0;
    end else if (conv_advance_1) begin
      conv_valid_1 <= (conv_emits & conv_offers);
    end
  end

  always @(posedge clk) begin
    if (conv_advance_1) begin
      relu_0_0_0_r1 <= relu_0_0_0;
      relu_1_0_0_r1 <= relu_1_0_0;
    end
  end

  always @(posedge clk) begin
    if (rst) begin
      conv_col <= 3'd0;
    end else if (conv_moves) begin
      conv_col <= (conv_col_at[2] ? 3'd0 : conv_lines_n3);
    end
  end

  always @(posedge clk) begin
    if (conv_moves) begin
      conv_line_1 <= conv_pixel;
      conv_line_2 <= conv_line_1;
      conv_line_3 <= conv_line_2;
      conv_line_4 <= conv_line_3;
      conv_line_5 <= conv_line_4;
      conv_line_6 <= conv_line_5;
      conv_line_7 <= conv_line_6;
      conv_line_8 <= conv_line_7;
      conv_line_9 <= conv_line_8;
      conv_line_10 <= conv_line_9;
      conv_line_11 <= conv_line_10;
      conv_line_12 <= conv_line_11;
      conv_line_13 <= conv_line_12;
      conv_line_14 <= conv_line_13;
      conv_line_15 <= conv_line_14;
      conv_line_16 <= conv_line_15;
      conv_line_17 <= conv_line_16;
      conv_line_18 <= conv_line_17;
    end
  end

  always @(posedge clk) begin
    if (pool_advance_1) begin
      pool_0_r1 <= pool_0;
      pool_1_r1 <= pool_1;
    end
  end

  always @(posedge clk) begin
    if (rst) begin
      pool_valid_1 <= 1'd0;
    end else if (pool_advance_1) begin
      pool_valid_1 <= (pool_emits & pool_offers);
    end
  end

  always @(posedge clk) begin
    if (rst) begin
      pool_col <= 3'd0;
    end else if (pool_moves) begin
      pool_col <= (pool_col_at[2] ? 3'd0 : pool_lines_n11);
    end
  end

  always @(posedge clk) begin
    if (pool_moves) begin
      pool_line_1 <= pool_pixel;
      pool_line_2 <= pool_line_1;
      pool_line_3 <= pool_line_2;
      pool_line_4 <= pool_line_3;
      pool_line_5 <= pool_line_4;
      pool_line_6 <= pool_line_5;
      pool_line_7 <= pool_line_6;
    end
  end

endmodule

`default_nettype wire
